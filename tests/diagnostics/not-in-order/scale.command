train _tiny.yaml --data digits --recipe _scale.yaml -o run --set head.classes=10
