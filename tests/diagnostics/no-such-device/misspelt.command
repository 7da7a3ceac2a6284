score _tiny.yaml --device iphone21
