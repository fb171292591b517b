enum StorageServicePlaceholder {}
