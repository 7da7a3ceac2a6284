train _tiny.yaml --data _flat --recipe small -o run --set head.classes=10
