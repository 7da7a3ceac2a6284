verify _table.mlpackage --against _table.mlpackage
