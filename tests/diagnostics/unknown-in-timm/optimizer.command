train _tiny.yaml --data digits --recipe _optimizer.yaml -o run --set head.classes=10
