verify _cut.mlpackage --against _cut.mlpackage
