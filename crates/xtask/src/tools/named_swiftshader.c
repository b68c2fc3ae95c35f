// A Vulkan driver under SwiftShader's name: Chromium computes with no driver in software but SwiftShader, which it knows by the
// numbers of maker and device. DRIVER is the library of the one that is wanted.

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*Function)(void);
typedef Function (*GetProcAddr)(void *instance, const char *name);

// SwiftShader's.
enum { VENDOR = 0x1AE0, DEVICE = 0xC0DE };

static void *driver(void) {
  static void *opened;
  if (!opened && !(opened = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL))) fprintf(stderr, "%s\n", dlerror());
  return opened;
}

static Function of_driver(void *instance, const char *name) {
  static GetProcAddr get;
  if (!get && driver()) get = (GetProcAddr)dlsym(driver(), "vk_icdGetInstanceProcAddr");
  return get ? get(instance, name) : NULL;
}

// VkPhysicalDeviceProperties begins with the versions of interface and driver, maker and device.
static void rename_device(uint32_t *properties) {
  properties[2] = VENDOR;
  properties[3] = DEVICE;
}

static void (*get_properties)(void *, uint32_t *);
static void (*get_properties2)(void *, uint32_t *);

static void properties(void *device, uint32_t *to) {
  get_properties(device, to);
  rename_device(to);
}

static void properties2(void *device, uint32_t *to) {
  get_properties2(device, to);
  // After the kind of the structure and a pointer to the next.
  rename_device(to + 4);
}

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
  Function found = of_driver(instance, name);
  if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)vk_icdGetInstanceProcAddr;
  if (!found) return NULL;
  if (!strcmp(name, "vkGetPhysicalDeviceProperties")) {
    get_properties = (void (*)(void *, uint32_t *))found;
    return (Function)properties;
  }
  if (!strcmp(name, "vkGetPhysicalDeviceProperties2") || !strcmp(name, "vkGetPhysicalDeviceProperties2KHR")) {
    get_properties2 = (void (*)(void *, uint32_t *))found;
    return (Function)properties2;
  }
  return found;
}

Function vkGetInstanceProcAddr(void *instance, const char *name) { return vk_icdGetInstanceProcAddr(instance, name); }

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  int (*negotiate)(uint32_t *) = driver() ? (int (*)(uint32_t *))dlsym(driver(), "vk_icdNegotiateLoaderICDInterfaceVersion") : NULL;
  return negotiate ? negotiate(version) : -3;
}
