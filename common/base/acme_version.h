#ifndef ACME_VERSION_H
#define ACME_VERSION_H

#define ACME_VERSION "0.1.0"

#endif
