"""One module for each kind of thing that the API shows; `api.app` mounts their routers."""
