train _tiny.yaml --data digits --recipe smal -o run --set head.classes=10
