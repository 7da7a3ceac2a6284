verify _shapes.mlpackage --against _shapes.mlpackage
