score _tiny.yaml --device _units.yaml
