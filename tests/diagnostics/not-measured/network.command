score _tiny.yaml --device _measured.yaml --strict
