generate _tiny.yaml --templates _undefined
