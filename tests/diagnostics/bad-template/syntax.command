generate _tiny.yaml --templates _syntax
