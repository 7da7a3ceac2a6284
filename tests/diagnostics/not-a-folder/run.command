train _tiny.yaml --data digits --recipe small -o _tiny.yaml --set head.classes=10
