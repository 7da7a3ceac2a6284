train _tiny.yaml --data _images --recipe _few.yaml -o run
