train _tiny.yaml --data digits --recipe small -o run
