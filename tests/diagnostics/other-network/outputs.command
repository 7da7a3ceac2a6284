verify _wide.mlpackage --against _relu.mlpackage
