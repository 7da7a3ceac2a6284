train _tiny.yaml --data torch/cifar10 --recipe small -o run --set head.classes=10 --data-root nowhere
