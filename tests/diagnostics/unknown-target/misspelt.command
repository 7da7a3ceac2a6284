build _tiny.yaml -t cod
