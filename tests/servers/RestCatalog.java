import java.net.InetSocketAddress;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.rest.RCKUtils;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/** Iceberg's own REST catalog, which has no other door than this: `host port`, and `CATALOG_…` in the environment. */
public class RestCatalog {
    public static void main(String[] arguments) throws Exception {
        var catalog = CatalogUtil.buildIcebergCatalog("rest", RCKUtils.environmentCatalogConfig(), null);
        var context = new ServletContextHandler();
        context.addServlet(new ServletHolder(new RESTCatalogServlet(new RESTCatalogAdapter(catalog))), "/*");
        var server = new Server(new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1])));
        server.setHandler(context);
        server.start();
        server.join();
    }
}
