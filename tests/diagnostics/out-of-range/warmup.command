train _tiny.yaml --data digits --recipe _warmup.yaml -o run --set head.classes=10
