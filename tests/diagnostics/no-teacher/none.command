train _tiny.yaml --data digits --recipe _taught.yaml -o run --set head.classes=10
