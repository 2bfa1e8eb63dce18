#!/bin/sh
# Make the bucket of the recordings, unless it is there; running it again changes nothing.
set -eu
bucket="${S3_BUCKET:?must name the bucket of the recordings}"
# (Not WEED_MASTER: weed reads every WEED_* variable as configuration, and that one would stop volumes from growing.)
ask() { echo "$1" | weed shell -master="${SEAWEEDFS_MASTER:-seaweedfs:9333}"; }
ask "s3.bucket.list" | grep -Eq "^ +${bucket}([[:space:]]|\$)" || ask "s3.bucket.create -name ${bucket}"
