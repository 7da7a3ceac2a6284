verify _tiny.yaml --against _relu.mlpackage
