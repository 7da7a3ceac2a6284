score _tiny.yaml --size 1024 --device _micro.yaml
