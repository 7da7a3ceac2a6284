train _tiny.yaml --data digits --recipe _single.yaml -o run --set head.classes=10
