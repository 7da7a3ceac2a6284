verify _none.mlpackage --against _relu.mlpackage
