score _tiny.yaml --device _ms.yaml
