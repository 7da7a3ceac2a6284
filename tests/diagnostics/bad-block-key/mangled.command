score _tiny.yaml --device _mangled.yaml
