#include "engine/host.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

pj_status pji_url_host(const char *url, char *host, size_t size, struct pj_error *err)
{
    const char *start = NULL;
    if (strncasecmp(url, "http://", 7) == 0)
        start = url + 7;
    else if (strncasecmp(url, "https://", 8) == 0)
        start = url + 8;
    if (start == NULL)
        return pji_fail(err, PJ_EINVAL,
                        "'%.120s' is not a URL: write http://host:port/v1 or https://…", url);
    size_t authority = strcspn(start, "/?#");
    const char *at = memrchr(start, '@', authority);
    if (at != NULL) {
        authority -= (size_t)(at + 1 - start);
        start = at + 1;
    }
    size_t len = 0;
    if (*start == '[') { /* RFC 3986, section 3.2.2: an IPv6 literal */
        start++;
        len = strcspn(start, "]/?#");
    } else {
        len = strcspn(start, ":/?#");
        if (len > authority)
            len = authority;
    }
    if (len == 0 || len >= size)
        return pji_fail(err, PJ_EINVAL, "the URL '%.120s' names no host", url);
    memcpy(host, start, len);
    host[len] = '\0';
    return PJ_OK;
}

static bool is_v4_loopback(const unsigned char bytes[4])
{
    return bytes[0] == 127;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        unsigned char bytes[4];
        memcpy(&v4, address, sizeof v4);
        memcpy(bytes, &v4.sin_addr, sizeof bytes);
        return is_v4_loopback(bytes);
    }
    if (address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && is_v4_loopback(v6.sin6_addr.s6_addr + 12));
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET) {
        struct sockaddr_in x;
        struct sockaddr_in y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return x.sin_addr.s_addr == y.sin_addr.s_addr;
    }
    if (a->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 x;
    struct sockaddr_in6 y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
}

static bool is_own(const struct sockaddr *address, const struct ifaddrs *own)
{
    for (; own != NULL; own = own->ifa_next)
        if (own->ifa_addr != NULL && same_address(address, own->ifa_addr))
            return true;
    return false;
}

pj_status pji_host_is_local(const char *host, bool *local, struct pj_error *err)
{
    struct addrinfo *found = NULL;
    struct ifaddrs *own = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    *local = false;
    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0 || found == NULL)
        return pji_fail(err, PJ_ENOTFOUND, "cannot find the host '%s': %s", host,
                        rc != 0 ? gai_strerror(rc) : "it has no address");
    if (getifaddrs(&own) != 0)
        own = NULL; /* loopback is known without them */
    *local = true;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
        if (!is_loopback(a->ai_addr) && !is_own(a->ai_addr, own))
            *local = false;
    if (own != NULL)
        freeifaddrs(own);
    freeaddrinfo(found);
    return PJ_OK;
}
