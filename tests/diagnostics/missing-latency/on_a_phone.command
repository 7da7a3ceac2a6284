score _tiny.yaml --device _phone.yaml
