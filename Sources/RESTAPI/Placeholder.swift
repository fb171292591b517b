enum RESTAPIPlaceholder {}
