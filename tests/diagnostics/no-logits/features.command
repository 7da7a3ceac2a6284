train _tiny.yaml --data digits --recipe small -o run --set 'head={type: features, stages: [0]}'
