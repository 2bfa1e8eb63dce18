#!/bin/sh
# Make the bucket of the recordings, unless it is there; running it again changes nothing.
set -eu
bucket="${S3_BUCKET:?must name the bucket of the recordings}"
ask() { echo "$1" | weed shell -master="${WEED_MASTER:-seaweedfs:9333}"; }
ask "s3.bucket.list" | grep -Eq "^ +${bucket}([[:space:]]|\$)" || ask "s3.bucket.create -name ${bucket}"
