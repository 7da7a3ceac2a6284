verify _packed.mlpackage --against _relu.mlpackage
