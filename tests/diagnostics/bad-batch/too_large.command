train _tiny.yaml --data digits --recipe _large.yaml -o run --set head.classes=10
