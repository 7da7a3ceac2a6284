build _tiny.yaml -t code -o _tiny.yaml/x
