lint _tiny.yaml --ignore hard-swish
