#include <libxml/xmlversion.h>
/* The declarations of ICU, which a few of libxml2's structures point to, are in Foundation too, of another version: a file that sees both is
   refused. Nothing here touches those structures. */
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlwriter.h>
