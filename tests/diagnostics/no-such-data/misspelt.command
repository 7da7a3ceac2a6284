train _tiny.yaml --data digit --recipe small -o run --set head.classes=10
