train _tiny.yaml --data digits --recipe _hot.yaml -o run --set head.classes=10
