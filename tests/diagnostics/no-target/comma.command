build _tiny.yaml -t ,
