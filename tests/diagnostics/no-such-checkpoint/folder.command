build _tiny.yaml --weights .
