train _tiny.yaml --data _sets --recipe small -o run --set head.classes=10
