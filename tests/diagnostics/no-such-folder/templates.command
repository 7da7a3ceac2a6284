generate _tiny.yaml --templates nope
