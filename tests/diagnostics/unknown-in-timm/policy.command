train _tiny.yaml --data digits --recipe _policy.yaml -o run --set head.classes=10
