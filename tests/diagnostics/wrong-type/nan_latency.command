score _tiny.yaml --device _nan.yaml
