/// Certificates for tests, valid until 2126. Their private keys are public.
enum TestCertificates {
    /// An authority that no system trusts.
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBizCCATGgAwIBAgIUeupbXEUTPd9weZkblBvzgxv0+eMwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPS2V5d2FyZCB0ZXN0IGNhMCAXDTI2MTEyNDEzMjkxNloYDzIx
        MjYxMDMxMTMyOTE2WjAaMRgwFgYDVQQDDA9LZXl3YXJkIHRlc3QgY2EwWTATBgcq
        hkjOPQIBBggqhkjOPQMBBwNCAAS/WTNqEnlCIUfn/nc6ZwMrDJaKy68d+DhIwvld
        HUgPkKyLYVXbahV7mAzEzO027VTVGgAvTYF+3NbIlEvgr0NSo1MwUTAdBgNVHQ4E
        FgQUXufHemtUExg15HdKMqMp4qnp4KMwHwYDVR0jBBgwFoAUXufHemtUExg15HdK
        MqMp4qnp4KMwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAr9bo
        XIKWanxP9kAyTydjpES0DBfd5ImX5c2OBmf0fEkCIHRAT2nJSwGGLTg+gnxOW9K4
        GjsgxeO48bK/qc1wcnfa
        -----END CERTIFICATE-----
        """

    /// A certificate for localhost and 127.0.0.1.
    static let server = """
        -----BEGIN CERTIFICATE-----
        MIIBpjCCAUugAwIBAgIUU3hRMTD8XVzoehuW663VDjMzHKcwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPS2V5d2FyZCB0ZXN0IGNhMCAXDTI2MTEyNDEzMjkxNloYDzIx
        MjYxMDMxMTMyOTE2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIB
        BggqhkjOPQMBBwNCAAQBNeKeBxfcYazjfnJjSn98yaCOs9HwLdNOUnR3HQimURGU
        RnaJ6Ee33bvkDhNqR8GsY4WM3bEgRoGdyuXcVj8vo3MwcTAaBgNVHREEEzARggls
        b2NhbGhvc3SHBH8AAAEwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFHzT
        hgaLf7ufqmHZCO8KP4xWPTMrMB8GA1UdIwQYMBaAFF7nx3prVBMYNeR3SjKjKeKp
        6eCjMAoGCCqGSM49BAMCA0kAMEYCIQC/2vBRGN8xo7aIIzPXZx1/gtVclZc3YKyu
        cAEJlDpuIgIhAL9X8hfyIgAjClHdXrTnefaxN2TDVlR6qXbq8V9HyZnl
        -----END CERTIFICATE-----
        """

    static let serverKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxQ98GFhiG84ygKFw
        RHrUZm2EzqNj60vEcjzzK2HXNbqhRANCAAQBNeKeBxfcYazjfnJjSn98yaCOs9Hw
        LdNOUnR3HQimURGURnaJ6Ee33bvkDhNqR8GsY4WM3bEgRoGdyuXcVj8v
        -----END PRIVATE KEY-----
        """

    /// A certificate with the same names and another key.
    static let renewed = """
        -----BEGIN CERTIFICATE-----
        MIIBozCCAUmgAwIBAgIUU3hRMTD8XVzoehuW663VDjMzHKgwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPS2V5d2FyZCB0ZXN0IGNhMCAXDTI2MTEyNDEzMjkxNloYDzIx
        MjYxMDMxMTMyOTE2WjASMRAwDgYDVQQDDAdyZW5ld2VkMFkwEwYHKoZIzj0CAQYI
        KoZIzj0DAQcDQgAEr8I1Hh8EQTwb1rRwi4l4vKMl6KUY5o+Htv8ZW7mFvLC60pF9
        jC+cbQuxsgP3E8hIPlaqZSmrRSI10QP5KVb1kqNzMHEwGgYDVR0RBBMwEYIJbG9j
        YWxob3N0hwR/AAABMBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQWBBT9RFjT
        Eh2bqj2j8GrwyqSKM9QK1jAfBgNVHSMEGDAWgBRe58d6a1QTGDXkd0oyoyniqeng
        ozAKBggqhkjOPQQDAgNIADBFAiEAqYAp+CdQsdDmYc1OH8HkLZVXVkMVWUCJWg4T
        vAWhg5ICIG2jLD0BVK2wJU/2+sZ5datLwTSlNMMP2kXKMTOtyJqI
        -----END CERTIFICATE-----
        """

    static let renewedKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgg7pUcwYjy9L8UAZS
        JXvrG9DiL6Puo5nMjFK6QmliiEOhRANCAASvwjUeHwRBPBvWtHCLiXi8oyXopRjm
        j4e2/xlbuYW8sLrSkX2ML5xtC7GyA/cTyEg+VqplKatFIjXRA/kpVvWS
        -----END PRIVATE KEY-----
        """

    /// A certificate for another name.
    static let elsewhere = """
        -----BEGIN CERTIFICATE-----
        MIIBqTCCAU+gAwIBAgIUU3hRMTD8XVzoehuW663VDjMzHKkwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPS2V5d2FyZCB0ZXN0IGNhMCAXDTI2MTEyNDEzMjkxNloYDzIx
        MjYxMDMxMTMyOTE2WjAZMRcwFQYDVQQDDA5lbHNld2hlcmUudGVzdDBZMBMGByqG
        SM49AgEGCCqGSM49AwEHA0IABMD1O/Wb/V5wUgiOCnCIBX4jhdGAB0853MHjtLFl
        ag7xlL4I1sx57bDDvqUJh5rqr63+LNq2VPyWazkFMQ+1bzSjcjBwMBkGA1UdEQQS
        MBCCDmVsc2V3aGVyZS50ZXN0MBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQW
        BBRk1BOv7c7dRtUc9yeMLb+rxqbFvzAfBgNVHSMEGDAWgBRe58d6a1QTGDXkd0oy
        oyniqengozAKBggqhkjOPQQDAgNIADBFAiBvXHw8dl9LSDmh9eRIk9UxE+2yw62p
        izmQmyXHL9ZTwgIhALlW3EAhX9A5+aJEcKFeeEwljDaC54+l3gqaXWXkj5oh
        -----END CERTIFICATE-----
        """

    static let elsewhereKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUO3z37j4HH2qnuuf
        x7pHjIV0/j+mxSgzCUm/ogizA+WhRANCAATA9Tv1m/1ecFIIjgpwiAV+I4XRgAdP
        OdzB47SxZWoO8ZS+CNbMee2ww76lCYea6q+t/izatlT8lms5BTEPtW80
        -----END PRIVATE KEY-----
        """
}
