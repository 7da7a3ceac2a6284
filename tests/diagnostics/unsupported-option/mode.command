verify _mode.mlpackage --against _relu.mlpackage
