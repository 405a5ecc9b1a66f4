/* llminf/version.h - the version of these headers, written once; the build reads it from here.
 *
 * llminf_version() tells the version of the library that is loaded, which may be newer. */
#ifndef LLMINF_VERSION_H
#define LLMINF_VERSION_H

#define LLMINF_VERSION_MAJOR 0
#define LLMINF_VERSION_MINOR 1
#define LLMINF_VERSION_PATCH 0

#endif
