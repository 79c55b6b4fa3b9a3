import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.rest.RESTCompatibilityKitCatalogTests;
import org.apache.iceberg.rest.RESTCompatibilityKitViewCatalogTests;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Iceberg's compatibility kit, with those tests that it has no setting for. */
public class Kit {
  public static class Tables extends RESTCompatibilityKitCatalogTests {
    @Override
    protected boolean supportsNestedNamespaces() {
      return true;
    }

    @Override
    protected boolean supportsNamesWithSlashes() {
      return true;
    }

    /** Where some tables are put: on this machine, unless a place is given. */
    @Override
    protected String baseTableLocation(TableIdentifier table) {
      String base = System.getProperty("kit.location");
      return base == null ? super.baseTableLocation(table) : base + "/" + table.namespace() + "/" + table.name();
    }

    /** The kit removes what it knows of itself before the next test, and has no nested ones. */
    @AfterEach
    void removeNested() {
      Namespace parent = Namespace.of("parent");
      if (!catalog().namespaceExists(parent)) return;
      catalog().listNamespaces(parent).forEach(catalog()::dropNamespace);
      catalog().dropNamespace(parent);
    }

    /** Switched off because the kit's own server would need another configuration for it. */
    @Test
    @Override
    public void createTableInUniqueLocation() {
      super.createTableInUniqueLocation();
    }
  }

  public static class Views extends RESTCompatibilityKitViewCatalogTests {}
}
