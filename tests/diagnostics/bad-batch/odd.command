train _tiny.yaml --data digits --recipe _odd.yaml -o run --set head.classes=10
